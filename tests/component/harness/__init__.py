"""Stages and slots, ready to be driven by a test."""
