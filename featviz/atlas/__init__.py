"""The neuron atlas: a picture and a page for every unit of a network, in resumable runs."""
