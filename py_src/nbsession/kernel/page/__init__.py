"""The page that shows this kernel: its model, document, `onload`, `defer`, panel."""
