"""What the plugin talks about: frozen values, no I/O."""
