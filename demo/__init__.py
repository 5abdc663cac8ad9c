"""The demo: events of real people through the whole app, on this machine, in under a minute."""
