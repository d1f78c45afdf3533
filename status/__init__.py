"""What people and their tools look at: health, metrics, pages. Nothing here changes anything."""
