"""No networks: lucent star-imports this module and the benchmarks bring their own network."""
