"""The page at `/`: images in, answers out, in a browser. Plain HTML, CSS and JavaScript modules, served as they are."""
