"""The atlas as a website of plain files: opens from the disk or from any server, needs no network and no build."""
