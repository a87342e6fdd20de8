package io.teleworld.examples;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Turns Ctrl-C into a request to stop, so that files can be finished; a second Ctrl-C ends the process at once.
 *
 * <p>Thread-safe. A shutdown hook would come too late: native libraries close themselves in hooks of their own, in no
 * order, while frames are still being made. So the signal itself is taken, by reflection, because its class is outside
 * of the Java API; where it does not exist, Ctrl-C ends the process as usual.
 */
final class Interrupts {

    private final AtomicBoolean requested = new AtomicBoolean();

    /** Begins to take SIGINT and SIGTERM. */
    void install() {
        for (String signal : List.of("INT", "TERM")) {
            try {
                Class<?> signalClass = Class.forName("sun.misc.Signal");
                Class<?> handlerClass = Class.forName("sun.misc.SignalHandler");
                InvocationHandler handler = (proxy, method, args) -> switch (method.getName()) {
                    case "handle" -> {
                        request();
                        yield null;
                    }
                    case "equals" -> proxy == args[0];
                    case "hashCode" -> System.identityHashCode(proxy);
                    default -> "handler of " + signal;
                };
                Object proxy =
                        Proxy.newProxyInstance(handlerClass.getClassLoader(), new Class<?>[] {handlerClass}, handler);
                signalClass
                        .getMethod("handle", signalClass, handlerClass)
                        .invoke(null, signalClass.getConstructor(String.class).newInstance(signal), proxy);
            } catch (ReflectiveOperationException | RuntimeException e) {
                System.getLogger(Interrupts.class.getName())
                        .log(System.Logger.Level.DEBUG, "signal " + signal + " cannot be taken", e);
            }
        }
    }

    /** What a signal does. */
    void request() {
        if (requested.getAndSet(true)) {
            Runtime.getRuntime().halt(Cli.INTERRUPTED);
        }
    }

    /** Whether the user wants to stop. */
    boolean requested() {
        return requested.get();
    }
}
