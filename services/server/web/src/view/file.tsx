/** A file that somebody brings: chosen, or dropped. */
import type { ComponentChildren, InputHTMLAttributes } from "preact";

import { Icon } from "./bits";

/** A field for one file. It forgets the last one as it is pressed: a browser tells no change where the same is chosen again, and one that was refused is. */
export function FileInput({ onFile, ...rest }: Pick<InputHTMLAttributes, "id" | "class" | "accept" | "disabled" | "aria-describedby"> & { onFile: (file: File | undefined) => void }) {
  return <input {...rest} type="file" onClick={(event) => (event.currentTarget.value = "")} onChange={(event) => onFile(event.currentTarget.files?.[0])} />;
}

/** The same as a place to drop it on; `children`: what is asked for. */
export function FileDrop(props: { accept?: string; disabled?: boolean; onFile: (file: File | undefined) => void; children: ComponentChildren }) {
  const { children, ...field } = props;
  return (
    <label class="drop" onDragOver={(event) => event.preventDefault()} onDrop={(event) => { event.preventDefault(); props.onFile(event.dataTransfer?.files[0]); }}>
      <Icon name="file" /><span>{children}</span>
      <FileInput {...field} class="sr" />
    </label>
  );
}
