// Command forward copies TCP connections that arrive at an already listening socket (file descriptor 3) to one address.
//
// The socket is opened by the parent in the host's network namespace and inherited by this process, which runs in the
// node's: so a port on 127.0.0.1 reaches an address that exists only inside the namespace.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const listenerDescriptor = 3

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("want one argument, the HOST:PORT to copy to"))
	}
	listener, err := net.FileListener(os.NewFile(listenerDescriptor, "listener"))
	if err != nil {
		fail(fmt.Errorf("file descriptor 3 is not a listening socket: %w", err))
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go join(client.(*net.TCPConn), os.Args[1])
	}
}

// join closes the client at once when the target refuses, so that a caller sees a failed connection, not a silent one.
func join(client *net.TCPConn, target string) {
	defer client.Close()
	connection, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	done := make(chan struct{})
	go func() {
		pump(server, client)
		close(done)
	}()
	pump(client, server)
	<-done
}

// pump passes the end of a stream on by closing only the writing side, so that half-closed connections keep working.
func pump(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "forward:", err)
	os.Exit(1)
}
