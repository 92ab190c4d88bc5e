/** Places that are fetched when somebody goes there: the first load stays small. */
import { signal } from "@preact/signals";
import type { ComponentChild, ComponentType } from "preact";
import { useEffect } from "preact/hooks";


/** A component of another file of the build; until it is here, `waiting` is shown. `Frame`: the element round that, `div` for a part of a page. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>, waiting = "One moment.", Frame: "main" | "div" = "main"): (props: P) => ComponentChild {
  const here = signal<ComponentType<P> | null>(null);
  const failed = signal(false);
  const fetchIt = () => {
    failed.value = false;
    load().then((component) => (here.value = component), () => (failed.value = true));
  };
  return function Lazy(props: P) {
    useEffect(() => {
      if (!here.peek()) fetchIt();
    }, []);
    const Here = here.value;
    if (Here) return <Here {...props} />;
    const Title = Frame === "main" ? "h1" : "h2";
    return (
      <Frame {...(Frame === "main" ? { id: "main", class: "door", tabIndex: -1 } : {})}>
        {failed.value ? (
          <div class="panel"><Title>This page could not be loaded</Title><p class="lead">The box may have been updated or be away. What runs on it goes on.</p>
            <div class="do"><button class="btn prime" type="button" onClick={fetchIt}>Ask again</button><button class="btn" type="button" onClick={() => location.reload()}>Reload</button></div></div>
        ) : <p class="mute" role="status">{waiting}</p>}
      </Frame>
    );
  };
}
