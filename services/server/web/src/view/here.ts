/** Whether somebody is still where they pressed: what was asked for before they left must do nothing to where they are now. */
import { useEffect, useRef } from "preact/hooks";

/** Tells, from the page's first drawing on, whether it is still shown; from the very press that leaves it on, not only from the next drawing. */
export function useHere(): () => boolean {
  const shown = useRef(true);
  const path = useRef(location.pathname);
  useEffect(() => () => void (shown.current = false), []);
  return () => shown.current && location.pathname === path.current;
}
