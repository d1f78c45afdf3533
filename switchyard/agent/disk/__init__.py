"""The data folder of an agent: journal, logs, secret."""
