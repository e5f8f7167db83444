"""What static pages of all kinds share: templates, charts, images, sprites, addresses, records."""
