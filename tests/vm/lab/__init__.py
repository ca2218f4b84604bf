"""Runs ccgpu-node under real kernels: machines made by QEMU, whose hardware a scenario describes."""
