"""Training: sources -> tokenizer -> packed examples -> pre-training -> fine-tuning -> evaluation, one module a step."""
