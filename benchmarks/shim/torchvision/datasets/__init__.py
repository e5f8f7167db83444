"""Only `utils.download_url`."""
