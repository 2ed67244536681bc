"""Several processes that train one model: what each has of the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from darkroom.runtime.environment import variable
from darkroom.training.sync_batchnorm import SyncBatchNorm

Content = TypeVar("Content")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: its number, from 0; process 0 alone writes and prints.
        world: how many there are.
        device: where this one computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def data_parallel(self, model: nn.Module, sync_batchnorm: bool) -> nn.Module:
        """The model to call in a training step: its gradients are the mean over all processes.

        Made anew whenever other parameters are trained. Running statistics are those of process 0.

        Args:
            model: what is trained.
            sync_batchnorm: as `train.sync_batchnorm`.
        """
        if self.world == 1 or not any(parameter.requires_grad for parameter in model.parameters()):
            return model
        # Where it looks for unused parameters it keeps the order in which it adds gradients. Otherwise it finds a faster one
        # after the first step, and three numbers added in another order differ in the last bit after a resume.
        return DistributedDataParallel(
            SyncBatchNorm(model) if sync_batchnorm else model, find_unused_parameters=self.world > 2
        )

    def shared(self, make: Callable[[], Content]) -> Content:
        """What process 0 makes, in all processes; it alone calls `make`."""
        if self.world == 1:
            return make()
        held: list[Any] = [make() if self.first else None]
        distributed.broadcast_object_list(held, 0)
        content: Content = held[0]
        return content

    def total(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes, the same in each."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def decided(self, decision: bool) -> bool:
        """The decision of process 0, in all processes."""
        if self.world == 1:
            return decision
        flag = torch.tensor([decision], dtype=torch.uint8, device=self.device)
        distributed.broadcast(flag, 0)
        return bool(flag.item())

    def gathered(self, content: Content) -> list[Content]:
        """What each process has, in the order of their ranks."""
        if self.world == 1:
            return [content]
        every: list[Content] = [content] * self.world
        distributed.all_gather_object(every, content)
        return every

    def align_buffers(self, model: nn.Module) -> None:
        """Give all processes the running statistics of process 0, in place."""
        if self.world > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    The first CUDA device for the first process, and so on; without CUDA the processor, whose cores the processes divide.
    gloo carries the gradients between processors, nccl between GPUs.
    """
    rank, world = int(variable("RANK") or 0), int(variable("WORLD_SIZE") or 1)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(variable("LOCAL_RANK") or 0)) if cuda else torch.device("cpu")
    if world == 1:
        yield Processes(0, 1, device)
        return
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo", device_id=device if cuda else None)
    yield Processes(rank, world, device)
    # Not after an error: the others wait in a collective operation, and nccl would wait for them.
    distributed.destroy_process_group()
