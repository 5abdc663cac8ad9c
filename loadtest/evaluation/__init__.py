"""The evaluation: how good the lists are, by replaying logs through the kernels."""
