// Command forward copies TCP connections that arrive at an already listening socket to one address.
//
// The socket is opened by the parent in the host's network namespace and inherited by this process, which runs in the
// node's: so a port on 127.0.0.1 reaches an address that exists only inside the namespace.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("want two arguments: the listening socket's file descriptor, and the HOST:PORT to copy to"))
	}
	descriptor, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fail(err)
	}
	listener, err := net.FileListener(os.NewFile(uintptr(descriptor), "listener"))
	if err != nil {
		fail(fmt.Errorf("file descriptor %d is not a listening socket: %w", descriptor, err))
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go join(client.(*net.TCPConn), os.Args[2])
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
