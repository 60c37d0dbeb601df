"""Which numbers of a GPT-2 are trained: all of them, or an adapter beside them. One class a method.

The loop asks each for hidden states, trainable parameters and a state to save, and at the end for a plain GPT-2: what
LoRA and AdaLoRA learnt is added to the matrices they stand beside, so every engine can serve the result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2LMHeadModel

from generator.train.recipe import AdaLoraMethod, LoraMethod, PrefixMethod, TrainRecipe

_MATRICES = ["c_attn", "c_proj", "c_fc"]  # the four of each GPT-2 block; both output projections are named c_proj
_ALLOCATE_EVERY = 10  # steps between two re-distributions of AdaLoRA's ranks


class FullWeights:
    """Every weight is trained; the base of the adapters, which train fewer."""

    def __init__(self, model: GPT2LMHeadModel, *, compiled: bool = False) -> None:
        self.model = model
        self._hidden_states: Callable[..., Any] = torch.compile(model.transformer) if compiled else model.transformer

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What is trained."""
        yield from ((name, p) for name, p in self.model.named_parameters() if p.requires_grad)

    def hidden_states(self, tokens: Tensor, positions: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(rows, length) token ids -> (rows, length, width).

        Args:
            bias: (rows, 1, length, length), added to the attention scores; None sees all tokens before.
        """
        states: Tensor = self._hidden_states(
            input_ids=tokens, position_ids=positions, attention_mask=bias, use_cache=False
        )[0]
        return states

    def penalty(self) -> Tensor | float:
        """Added to the loss."""
        return 0.0

    def after_step(self, step: int) -> None:
        """Called after each optimizer step, while the gradients are still there."""

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs beside the optimizers' states: tensors, numbers, lists."""
        return {"weights": dict(self.model.state_dict())}

    def load_state(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["weights"])

    def merged(self) -> GPT2LMHeadModel:
        """The trained model as a plain GPT-2."""
        return self.model


class LoraWeights(FullWeights):
    def __init__(self, model: GPT2LMHeadModel, method: LoraMethod) -> None:
        from peft import LoraConfig, TaskType

        config = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=method.rank,
            lora_alpha=method.alpha,
            lora_dropout=method.dropout,
            target_modules=_MATRICES,
            fan_in_fan_out=True,  # GPT-2 stores its matrices as (in, out)
        )
        self._adapted = _adapt(model, config)
        super().__init__(model)  # peft has put its layers into this very model

    def state(self) -> dict[str, Any]:
        return {"weights": {name: p.detach() for name, p in self.named_parameters()}}

    def load_state(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(state["weights"][name])

    def merged(self) -> GPT2LMHeadModel:
        plain: GPT2LMHeadModel = self._adapted.merge_and_unload(safe_merge=True)
        return plain


class AdaLoraWeights(LoraWeights):
    """Its rank allocator keeps averages of each weight's importance, which are part of the state."""

    def __init__(self, model: GPT2LMHeadModel, method: AdaLoraMethod, steps: int) -> None:
        from peft import AdaLoraConfig, TaskType

        self._config = AdaLoraConfig(
            task_type=TaskType.CAUSAL_LM,
            init_r=method.first_rank,
            target_r=method.rank,
            lora_alpha=method.alpha,
            lora_dropout=method.dropout,
            target_modules=_MATRICES,
            fan_in_fan_out=True,
            total_step=steps,
            tinit=max(1, steps // 10),
            tfinal=max(1, steps // 3),
            deltaT=min(_ALLOCATE_EVERY, max(1, steps // 6)),
        )
        self._adapted = _adapt(model, self._config)
        FullWeights.__init__(self, model)
        self._allocator = self._adapted.base_model.rankallocator

    def penalty(self) -> Tensor | float:
        """Keeps both factors orthogonal, without which the singular values mean nothing; equation 8 of the paper."""
        factors = [(name, p) for name, p in self.named_parameters() if "lora_A" in name or "lora_B" in name]
        distances = []
        for name, p in factors:
            products = p @ p.T if "lora_A" in name else p.T @ p  # (rank, rank)
            distances.append(torch.linalg.norm(products - torch.eye(len(products), device=p.device)))
        return float(self._config.orth_reg_weight) * torch.stack(distances).mean()

    def after_step(self, step: int) -> None:
        self._adapted.base_model.update_and_allocate(step)

    def state(self) -> dict[str, Any]:
        averages = {part: dict(getattr(self._allocator, part)) for part in ("ipt", "exp_avg_ipt", "exp_avg_unc")}
        return {**super().state(), "allocator": averages, "ranks": self._config.rank_pattern}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        for part, values in state["allocator"].items():
            setattr(self._allocator, part, dict(values))
        self._config.rank_pattern = state["ranks"]


class PrefixWeights(FullWeights):
    """Keys and values that stand before every prompt in every layer; the model itself stays as it was."""

    def __init__(self, model: GPT2LMHeadModel, method: PrefixMethod) -> None:
        from peft import PrefixTuningConfig, TaskType

        config = PrefixTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=method.tokens)
        self._adapted = _adapt(model, config)
        super().__init__(model)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from ((name, p) for name, p in self._adapted.named_parameters() if p.requires_grad)

    def hidden_states(self, tokens: Tensor, positions: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        rows, length = tokens.shape
        if positions is None:  # the prefix has no places of its own
            positions = torch.arange(length, device=tokens.device).repeat(rows, 1)
        prefix = self._adapted.get_prompt(rows)
        if bias is not None:  # every token sees the prefix
            bias = functional.pad(bias, (prefix.get_seq_length(), 0))
        states: Tensor = self.model.transformer(
            input_ids=tokens, position_ids=positions, attention_mask=bias, past_key_values=prefix, use_cache=True
        )[0]
        return states

    def state(self) -> dict[str, Any]:
        return {"weights": {name: p.detach() for name, p in self.named_parameters()}}

    def load_state(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(state["weights"][name])

    def merged(self) -> GPT2LMHeadModel:
        raise TypeError("a prefix cannot be merged into the weights")


def _adapt(model: GPT2LMHeadModel, config: Any) -> Any:
    """peft's model around ``model``; it calls names of transformers that are deprecated, which is nobody's business."""
    from peft import get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_peft_model(model, config)


def trainable(recipe: TrainRecipe, model: GPT2LMHeadModel) -> FullWeights:
    """``model`` made ready for the recipe's method; adapters are drawn with the recipe's seed."""
    torch.manual_seed(recipe.seed)
    method = recipe.method
    if isinstance(method, LoraMethod):
        return LoraWeights(model, method)
    if isinstance(method, AdaLoraMethod):
        return AdaLoraWeights(model, method, recipe.last_step)
    if isinstance(method, PrefixMethod):
        return PrefixWeights(model, method)
    return FullWeights(model, compiled=recipe.compile)
