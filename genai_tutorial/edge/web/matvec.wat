;; out = matrix · vector in float32, for rows of a multiple of eight columns.
;; An f32x4 holds four numbers; two of them keep eight sums that are added at the end.
(module
  (memory (export "memory") 1)
  (func (export "matvec")
    (param $matrix i32) (param $vector i32) (param $out i32) (param $rows i32) (param $columns i32)
    (local $x i32) (local $x_end i32) (local $out_end i32) (local $low v128) (local $high v128)
    ;; A number has four bytes: addresses advance by 4 · rows and 4 · columns.
    (local.set $out_end (i32.add (local.get $out) (i32.shl (local.get $rows) (i32.const 2))))
    (local.set $x_end (i32.add (local.get $vector) (i32.shl (local.get $columns) (i32.const 2))))
    (loop $row
      (local.set $x (local.get $vector))
      (local.set $low (v128.const f32x4 0 0 0 0))
      (local.set $high (v128.const f32x4 0 0 0 0))
      (loop $eight_columns
        (local.set $low (f32x4.add (local.get $low)
          (f32x4.mul (v128.load (local.get $matrix)) (v128.load (local.get $x)))))
        (local.set $high (f32x4.add (local.get $high)
          (f32x4.mul (v128.load offset=16 (local.get $matrix)) (v128.load offset=16 (local.get $x)))))
        (local.set $matrix (i32.add (local.get $matrix) (i32.const 32)))
        (local.set $x (i32.add (local.get $x) (i32.const 32)))
        (br_if $eight_columns (i32.lt_u (local.get $x) (local.get $x_end))))
      (local.set $low (f32x4.add (local.get $low) (local.get $high)))
      (f32.store (local.get $out) (f32.add
        (f32.add (f32x4.extract_lane 0 (local.get $low)) (f32x4.extract_lane 1 (local.get $low)))
        (f32.add (f32x4.extract_lane 2 (local.get $low)) (f32x4.extract_lane 3 (local.get $low)))))
      (local.set $out (i32.add (local.get $out) (i32.const 4)))
      (br_if $row (i32.lt_u (local.get $out) (local.get $out_end))))))
