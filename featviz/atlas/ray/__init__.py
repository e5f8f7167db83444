"""The engine that renders an atlas on a Ray cluster."""
