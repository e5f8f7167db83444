"""The neuron atlas: every unit of a network with its picture and its page, kept, continued, browsed."""
