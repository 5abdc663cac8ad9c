"""Real-time item recommendations from click and purchase events, exact per event."""

__version__ = "0.1.0"
