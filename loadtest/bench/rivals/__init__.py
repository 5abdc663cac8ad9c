"""What the app is compared with: each a program that reads the same topic."""
