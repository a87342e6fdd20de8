package io.teleworld.onnx;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.teleworld.error.ResourceClosedException;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A session with its options, which must outlive it. Thread-safe: closing waits for calls that are under way, and a
 * second close does nothing.
 */
final class OnnxSession implements AutoCloseable {

    /** Work on an open session. */
    interface Call<T> {
        T run(OrtSession session) throws OrtException;
    }

    private final OrtSession session;
    private final OrtSession.SessionOptions options;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    OnnxSession(OrtSession session, OrtSession.SessionOptions options) {
        this.session = session;
        this.options = options;
    }

    /** Runs a call while the session cannot be closed. */
    <T> T use(String what, Call<T> call) {
        Lock shared = lock.readLock();
        shared.lock();
        try {
            if (closed) {
                throw new ResourceClosedException(what, null);
            }
            return OnnxErrors.call(what, () -> call.run(session));
        } finally {
            shared.unlock();
        }
    }

    boolean isClosed() {
        Lock shared = lock.readLock();
        shared.lock();
        try {
            return closed;
        } finally {
            shared.unlock();
        }
    }

    @Override
    public void close() {
        Lock exclusive = lock.writeLock();
        exclusive.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            try {
                OnnxErrors.call("closing a session", () -> {
                    session.close();
                    return true;
                });
            } finally {
                options.close();
            }
        } finally {
            exclusive.unlock();
        }
    }
}
