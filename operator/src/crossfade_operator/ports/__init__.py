"""What the runtime needs from the world, as Protocols and the values they speak. No client is named here."""
