"""Dead letters as commands read them: which there are, and which may be replayed."""
