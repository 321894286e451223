"""How many faces a second the page of `ganjax explore --serve` shows."""
