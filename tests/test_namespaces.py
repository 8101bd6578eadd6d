"""`mx.util`, `mx.engine`, `mx.profiler`, `mx.runtime`, `mx.log`, `mx.model`, `mx.callback`, scopes of a thread."""

import json
import logging
import pickle
import threading

import numpy as np
import pytest

import gluonnx as mx
from gluonnx.errors import ArgumentError, FormatError, MXNetError, NotSupportedError


def test_semantics_of_shapes():
    assert not mx.is_np_shape()
    with mx.np_shape():
        assert mx.is_np_shape()
        with mx.np_shape(False):
            assert not mx.is_np_shape()
    assert not mx.is_np_shape()
    assert mx.util.use_np_shape(mx.is_np_shape)()
    seen = []
    assert mx.set_np_shape(2) is False
    try:
        thread = threading.Thread(target=lambda: seen.append(mx.is_np_shape()))
        thread.start()
        thread.join()
    finally:
        assert mx.set_np_shape(0) is True
    assert seen == [True]
    with pytest.raises(ValueError, match="got active=3"):
        mx.set_np_shape(3)


def test_numpy_interface_is_refused():
    with pytest.raises(NotSupportedError, match=r"np_array: gluonnx has MXNet's classic interface only"):
        mx.np_array()
    with mx.np_array(False):
        assert not mx.is_np_array()
    with pytest.raises(NotSupportedError, match=r"mx\.np\.ones: "):
        mx.np.ones((2,))
    with pytest.raises(NotSupportedError, match="set_np: "):
        mx.util.set_np()
    with pytest.raises(ValueError, match="NumPy Shape semantics is required"):
        mx.util.set_np(shape=False)

    @mx.util.use_np
    class Needs:
        pass

    with pytest.raises(NotSupportedError, match="use_np_array: "):
        Needs()
    mx.util.reset_np()


def test_environment():
    mx.util.setenv("GLUONNX_TEST", "x")
    assert mx.util.getenv("GLUONNX_TEST") == "x"
    mx.util.setenv("GLUONNX_TEST", None)
    assert mx.util.getenv("GLUONNX_TEST") is None


def test_engine():
    assert mx.engine.set_bulk_size(5) == 0
    with mx.engine.bulk(7):
        assert (mx.nd.ones(2) + 1).asnumpy().tolist() == [2, 2]
        assert mx.engine.set_bulk_size(7) == 7
    assert mx.engine.set_bulk_size(0) == 5


def test_features():
    features = mx.runtime.Features()
    assert len(features) == 32
    assert features.is_enabled("profiler")
    assert not features["TVM_OP"].enabled
    assert "✔ PROFILER" in repr(features)
    with pytest.raises(RuntimeError, match="Feature 'NONE' is unknown, known features are"):
        features.is_enabled("none")


def test_profiler(tmp_path):
    path = tmp_path / "profile.json"
    mx.profiler.dumps(reset=True)
    mx.profiler.set_config(filename=str(path), profile_memory=True, aggregate_stats=True)
    mx.profiler.set_state("run")
    domain = mx.profiler.Domain("work")
    task = domain.new_task("task")
    task.start()
    mx.nd.dot(mx.nd.ones((8, 8)), mx.nd.ones((8, 8))).wait_to_read()
    task.stop()
    counter = domain.new_counter("count", 3)
    counter += 2
    counter -= 1
    domain.new_marker("here").mark("process")
    with mx.profiler.Event("event"), domain.new_frame("frame"):
        pass
    mx.profiler.pause()
    with mx.profiler.Event("unseen"):
        pass
    mx.profiler.resume()
    mx.profiler.set_state("stop")
    found = json.loads(mx.profiler.dumps(format="json"))
    assert found["Unit"] == {"Time": "ms", "Memory": "kB"}
    assert found["Time"]["work"]["task"]["Count"] == 1
    assert found["Time"]["operator"]["aten::mm"]["Count"] == 1
    assert found["Time"]["work,frame"].keys() == {"frame"}
    assert found["Time"]["event"].keys() == {"event"}
    assert found["Memory"]["Device Storage"]["Memory: cpu/0"]["Max"] > 0
    counts = [
        row["Count"]
        for row in json.loads(mx.profiler.dumps(format="json", sort_by="count", ascending=True))["Time"][
            "operator"
        ].values()
    ]
    assert counts == sorted(counts)
    assert "Total Count" in mx.profiler.dumps()
    mx.profiler.dump()
    events = json.loads(path.read_text())["traceEvents"]
    assert [e["args"]["count"] for e in events if e["name"] == "count"] == [3, 5, 4]
    assert [e["s"] for e in events if e["name"] == "here"] == ["p"]
    mx.profiler.dumps(reset=True)
    assert json.loads(mx.profiler.dumps(format="json"))["Time"] == {}


def test_wrong_use_of_the_profiler():
    with pytest.raises(MXNetError, match="Cannot find argument 'colour'"):
        mx.profiler.set_config(colour=1)
    with pytest.raises(ArgumentError, match="got state='go'"):
        mx.profiler.set_state("go")
    with pytest.raises(NotSupportedError, match="got profile_process='server'"):
        mx.profiler.set_state("run", profile_process="server")
    with pytest.raises(AssertionError, match="Invalid value provided for format: xml"):
        mx.profiler.dumps(format="xml")
    with pytest.raises(AssertionError, match="Invalid value provided for sort_by: size"):
        mx.profiler.dumps(sort_by="size")
    with pytest.raises(ArgumentError, match=r"unknown scope: .* got 'moon'"):
        mx.profiler.Domain("d").new_marker("m").mark("moon")


def test_checkpoints(tmp_path):
    prefix = str(tmp_path / "net")
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn")
    arguments = {"bn_gamma": mx.nd.ones(3), "bn_beta": mx.nd.zeros(3)}
    states = {"bn_moving_mean": mx.nd.zeros(3), "bn_moving_var": mx.nd.ones(3) * 2}
    mx.model.save_checkpoint(prefix, 7, net, arguments, states)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net-0007.params", "net-symbol.json"]
    graph, args, aux = mx.model.load_checkpoint(prefix, 7)
    assert graph.tojson() == net.tojson()
    assert args.keys() == arguments.keys()
    np.testing.assert_array_equal(aux["bn_moving_var"].asnumpy(), [2, 2, 2])
    mx.nd.save(str(tmp_path / "bad-0001.params"), {"w": mx.nd.ones(1)})
    with pytest.raises(FormatError, match=r"bad-0001\.params: unknown kind of array: .* got 'w'"):
        mx.model.load_params(str(tmp_path / "bad"), 1)
    mx.nd.save(str(tmp_path / "bad-0002.params"), [mx.nd.ones(1)])
    with pytest.raises(FormatError, match="arrays without names"):
        mx.model.load_params(str(tmp_path / "bad"), 2)


def test_callbacks(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    save = mx.callback.do_checkpoint(str(tmp_path / "c"), period=2)
    net = mx.sym.Variable("x") * 2
    for epoch in range(3):
        save(epoch, net, {}, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c-0002.params", "c-symbol.json"]
    metric = mx.metric.Loss()
    metric.update(None, [mx.nd.ones(2)])
    speed = mx.callback.Speedometer(4, frequent=2)
    for batch in range(3):
        speed(mx.model.BatchEndParam(1, batch, metric, None))
    mx.callback.log_train_metric(1)(mx.model.BatchEndParam(1, 5, metric, None))
    mx.callback.ProgressBar(10, length=10)(mx.model.BatchEndParam(1, 5, None, None))
    mx.callback.LogValidationMetricsCallback()(mx.model.BatchEndParam(2, 0, metric, None))
    assert "Epoch[1] Batch [0-2]\tSpeed: " in caplog.text
    assert "Iter[1] Batch[5] Train-loss=" in caplog.text
    assert "[=====-----] 50%" in caplog.text
    assert "Epoch[2] Validation-loss=" in caplog.text


def test_logger(tmp_path):
    logger = mx.log.get_logger("gluonnx-test", filename=str(tmp_path / "l.txt"), level=mx.log.INFO)
    assert mx.log.get_logger("gluonnx-test") is logger
    logger.info("hello %d", 3)
    text = (tmp_path / "l.txt").read_text()
    assert text.startswith("[I")
    assert text.endswith("test_logger] hello 3\n")
    for handler in logger.handlers:
        handler.close()


def test_base():
    class Lamp:
        @mx.base.classproperty
        def kind(cls):
            return cls.__name__

    assert Lamp.kind == "Lamp"
    assert mx.base.py_str("é".encode()) == "é"
    assert isinstance(np.float32(1), mx.base.numeric_types)


def test_scopes_belong_to_their_thread():
    seen = {}

    def look():
        seen["attr"] = mx.AttrScope.current.get(None)
        seen["name"] = mx.name.NameManager.current.get(None, "fc")
        seen["ctx"] = mx.Context.default_ctx
        mx.Context.default_ctx = mx.cpu(5)

    with mx.AttrScope(__group__="g"), mx.name.Prefix("p_"), mx.cpu(3):
        assert mx.AttrScope.current.get({"b": "c"}) == {"__group__": "g", "b": "c"}
        assert mx.name.NameManager.current.get(None, "fc") == "p_fc0"
        assert mx.Context.default_ctx == mx.cpu(3)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == {"attr": {}, "name": "fc0", "ctx": mx.cpu(0)}
    assert mx.Context.default_ctx == mx.cpu(0)


def test_multipliers_are_keywords_of_symbols():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="fc", lr_mult=0, ctx_group="a")
    assert net.attr_dict()["fc_weight"]["__lr_mult__"] == "0"
    assert net.attr("ctx_group") == "a"
    again = pickle.loads(pickle.dumps(net))
    assert again.tojson() == net.tojson()
