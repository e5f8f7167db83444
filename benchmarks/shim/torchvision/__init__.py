"""The few functions of torchvision that lucent and horama import, for benchmarks where it is not installed."""
