"""Profiling on torch's profiler: `mx.profiler`."""
__all__=[]
def set_state(*a): pass
