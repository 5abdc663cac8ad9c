"""The jobs that merge popularity, and publish the trending lists."""
