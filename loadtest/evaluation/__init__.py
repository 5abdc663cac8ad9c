"""The evaluation: the quality of lists, by replaying logs through the kernels."""
