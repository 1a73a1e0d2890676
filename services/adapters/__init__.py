"""What stages reach other programs and networks by: Milvus, ONNX Runtime, PaddleServing."""
