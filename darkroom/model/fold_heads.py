"""What `train` leaves beside the weights when the last layer was fitted by cross-validation."""

# `weight` float32 [folds, K, F] and `bias` [folds, K] on the features of the network, `fold` int64 [N] the fold that held out
# each training image, -1 for none.
FOLD_HEADS = "fold_heads.safetensors"
# The probabilities float32 [N, K] of these heads; zeros where an image was in no fold. Alone where the
# network below was fine-tuned afterwards, since it then knows all training images.
ANSWERS = "out_of_fold.npy"
