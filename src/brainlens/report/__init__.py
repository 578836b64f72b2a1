"""From saved results to one page that anybody can open."""
