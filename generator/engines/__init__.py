"""Engines that run a GPT-2 behind ``domain.protocols.LanguageModel``."""
