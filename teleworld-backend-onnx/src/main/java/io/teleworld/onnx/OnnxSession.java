package io.teleworld.onnx;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;

/** A session with its options, which must outlive it. Calls may overlap; nothing may use it once it is closed. */
final class OnnxSession {

    /** Work on an open session. */
    interface Call<T> {
        T run(OrtSession session) throws OrtException;
    }

    private final OrtSession session;
    private final OrtSession.SessionOptions options;

    OnnxSession(OrtSession session, OrtSession.SessionOptions options) {
        this.session = session;
        this.options = options;
    }

    <T> T use(String what, Call<T> call) {
        return OnnxErrors.call(what, () -> call.run(session));
    }

    /** Frees both; must be called once. */
    void close() {
        try {
            use("closing a session", s -> {
                s.close();
                return true;
            });
        } finally {
            options.close();
        }
    }
}
