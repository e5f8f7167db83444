"""Which units a unit is connected to: expanded weights, and the strongest links that follow from them."""
