"""Arrays shared by devices: `mx.kv`, `mx.kvstore`.

`base` owns what a Trainer needs, `kvstore` the kvstore of one process, `compression` what devices send, `training` how
a kvstore takes part in training.
"""

from gluonnx.kvstore.base import KVStoreBase, TestStore
from gluonnx.kvstore.kvstore import KVStore, create

__all__ = ["KVStore", "KVStoreBase", "TestStore", "create"]
