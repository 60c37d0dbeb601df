"""The vocabulary of Answerdesk: dataclasses, protocols and errors. It imports nothing of ours."""
