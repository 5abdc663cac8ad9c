"""Tests of the tool that breaks lines on purpose."""
