"""The servers that tests run on, and the deployments that tests make on them."""
