"""Programs: graphs of operators from ONNX files and torch.export archives, read as data and run as modules of torch."""
