"""An atlas as a website of static files: it opens from the disk or from any server, without network or build step."""
