package io.teleworld.onnx;

import ai.onnxruntime.OrtException;
import io.teleworld.error.TeleWorldException;

/** ONNX Runtime's failures as TeleWorld's. */
final class OnnxErrors {

    private OnnxErrors() {}

    /** A call of ONNX Runtime. */
    interface Call<T> {
        T run() throws OrtException;
    }

    /** Runs a call; a failure becomes one of category BACKEND that names what was being done. */
    static <T> T call(String what, Call<T> call) {
        try {
            return call.run();
        } catch (OrtException e) {
            throw failure(what, e);
        }
    }

    static TeleWorldException failure(String what, OrtException e) {
        return new TeleWorldException(
                TeleWorldException.Category.BACKEND,
                what + " failed in ONNX Runtime: "
                        + String.valueOf(e.getMessage()).replace('\n', ' '),
                e);
    }
}
