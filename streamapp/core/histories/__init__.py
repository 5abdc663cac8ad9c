"""What one user did: the history rule and what is computed from a history."""
