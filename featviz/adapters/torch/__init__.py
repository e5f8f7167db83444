"""PyTorch modules become Models."""
