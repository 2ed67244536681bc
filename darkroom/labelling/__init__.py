"""Labels asked of people: a queue of images, in the order in which labels count most."""
