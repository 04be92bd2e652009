"""The statements of the document that the catalogue checks: numbers that are kept for good, sentences, quotations.

`english` is the catalogue's own wording, `chinese` a quotation of the passage that it restates, `formula` the
claim in symbols. A property cites statements by number; `regcheck explain 8.2` shows both sides.
"""

from __future__ import annotations

from typing import NamedTuple


class Statement(NamedTuple):
    """One statement: its number, what it says in English, the document's words, and its formula."""

    number: str
    english: str
    chinese: str
    formula: str


_ALL = (
    Statement(
        "1.1",
        "A penalty added to the loss limits complexity: the penalty's own value at the minimiser never grows, "
        "and the data loss never falls, as the strength grows.",
        "正则化通过在损失函数中引入惩罚项来限制模型的复杂度",
        "λ ≤ λ′: P(w*(λ)) ≥ P(w*(λ′)), L(w*(λ)) ≤ L(w*(λ′))",
    ),
    Statement(
        "1.2",
        "L1 sets parameters exactly to zero (feature selection).",
        "L1 正则化可以使得部分参数变为 0,从而实现特征选择,减少冗余特征",
        "w*ᵢ = 0 for some i",
    ),
    Statement(
        "1.3",
        "Regularisation lowers sensitivity to noise in the data: with L2 the minimiser moves at most in "
        "proportion to the change of the targets, and less so the stronger the penalty is.",
        "正则化可以降低模型对数据中噪声的敏感性,提高模型的稳定性",
        "‖Δw*‖ ≤ ‖AᵀΔb‖/(σ²_min + 2λ)",
    ),
    Statement(
        "2.1",
        "The L1 penalty is λ times the sum of the absolute parameters; it is linear in λ.",
        "其中,$\\lambda$ 用来控制正则程度的大小",
        "L₁ = λ·Σ|wᵢ|",
    ),
    Statement(
        "3.1",
        "The L2 penalty is λ times the sum of the squared parameters, without ½.",
        "对于待正则的网络参数 $w$,L2 正则化",
        "L₂ = λ·Σwᵢ²",
    ),
    Statement(
        "3.2",
        "L2 shrinks parameters towards zero without reaching it; under plain gradient descent it is weight decay.",
        "权重衰减:L2 正则化可以促使模型参数向较小的值靠拢,实现权重衰减",
        "w ← (1 − 2ηλ)·w − η·∇L",
    ),
    Statement(
        "3.3",
        "L1 and L2 together are the elastic net, which selects and shrinks at once.",
        "L1 正则化和 L2 正则化可以被联合使用,这种方法被称为 Elastic Net 正则化",
        "λ₁·Σ|wᵢ| + λ₂·Σwᵢ²",
    ),
    Statement(
        "4.1",
        "The penalised minimiser is the minimiser on the ball ‖w‖ ≤ m: the corners of the L1 ball give sparse "
        "solutions, the boundary of the L2 ball does not.",
        "显然 L1 正则的解空间更容易在夹角处与等高线碰撞出稀疏解",
        "argmin L + λP = argmin {L : P ≤ m}, m = P(w*)",
    ),
    Statement(
        "4.2a",
        "In one variable, L + C|w| has a strict local minimum at 0 whenever |L′(0)| < C. It is the minimum if "
        "|L′| < C everywhere, or if L is convex (then if and only if |L′(0)| ≤ C): decreasing on the left, "
        "increasing on the right.",
        "只要原目标函数导数绝对值小于 C,那么带正则项的目标函数在原点左侧递减,右侧递增,即最小值点在原点处",
        "L convex: 0 = argmin L + C|w| ⇔ |L′(0)| ≤ C",
    ),
    Statement(
        "4.2b",
        "For convex differentiable L of one variable and C > 0, L + Cw² has its minimum at 0 only if L′(0) = 0; "
        "otherwise the minimiser shrinks, keeps its sign and is never 0.",
        "只要原始目标函数导数值在原点不为 0,那么最小值点就不会在原点",
        "L′(0) ≠ 0: 0 < |w*(C)| < |w*(0)|",
    ),
    Statement(
        "4.2c",
        "The penalty's slope at 0 is −C on the left and +C on the right for L1, and 0 for L2.",
        "在原点左侧为 -C,右侧为 C",
        "(C|w|)′(0∓) = ∓C, (Cw²)′(0) = 0",
    ),
    Statement(
        "4.3a",
        "L2 is a Gaussian prior, smooth at its peak.",
        "L2 正则化相当于引入了高斯先验",
        "log p(0) − log p(w) = w²/(2σ²)",
    ),
    Statement(
        "4.3b",
        "L1 is a Laplace prior, with a cusp at its peak; at equal variance it puts more density at 0 than the "
        "Gaussian.",
        "L1 正则化相当于对模型参数引入了拉普拉斯先验,使参数为 0 的可能性更大",
        "log p(0) − log p(w) = |w|/b",
    ),
    Statement(
        "5.1",
        "Dropout zeroes each component with probability p.",
        "以概率 p 丢弃 K 维输入向量",
        "r ~ U[0, 1], dropped iff r < p",
    ),
    Statement(
        "5.2",
        "The raw mask changes the expectation.",
        "这样的 dropout,在训练中会使 x’ 的期望改变",
        "E[mask·x] = (1 − p)·x",
    ),
    Statement(
        "5.3",
        "Dividing by 1 − p restores the expectation; the mask's values are then 0 and 1/(1 − p).",
        "因此在训练时,可以将 dropout 后的结果除以 1-p",
        "E[x′] = x, x′ ∈ {0, x/(1 − p)}",
    ),
    Statement(
        "5.4",
        "In inference dropout does nothing.",
        "在测试时,dropout 不工作",
        "x′ = x",
    ),
    Statement(
        "5.5",
        "Backward, the derivative is the same mask: 0 where dropped, 1/(1 − p) elsewhere.",
        "\\frac{\\partial x’}{\\partial x}= \\begin{cases} 0,r_i<p\\\\ \\frac{1}{1-p},r_i\\geq p \\end{cases}",
        "∂x′/∂x = mask",
    ),
    Statement(
        "6.1",
        "L1 is not differentiable at 0; its gradient jumps there.",
        "在参数为零附近,梯度不连续",
        "∇(λ|w|) jumps by 2λ at w = 0",
    ),
    Statement(
        "6.2",
        "Among strongly correlated (not equal) features L1 tends to pick one and to ignore the rest; L2 spreads "
        "evenly, exactly so for equal ones.",
        "L1 正则化倾向于选择其中一个特征,而忽略其他相关特征",
        "aᵢ = aⱼ, λ₂ > 0: w*ᵢ = w*ⱼ",
    ),
    Statement(
        "6.3",
        "L1's selection can change under small changes of the data.",
        "可能会因微小的数据变动而导致不同的特征被选择",
        "supp w*(A, b) ≠ supp w*(A, b + Δb)",
    ),
    Statement(
        "7.1",
        "Batch normalisation subtracts the mini-batch's own mean and divides by its own standard deviation, per "
        "channel.",
        "首先计算 mini-batch 的均值 $\\mu$ 和方差 $\\sigma^2$,然后进行规范化",
        "x̂ = (x − μ)/√(σ² + ε)",
    ),
    Statement(
        "7.2",
        "A scale and an offset, both learnable, follow.",
        "BN 是一个可学习、有参数($\\gamma,\\beta$)的网络层",
        "y = γ·x̂ + β",
    ),
    Statement(
        "7.3",
        "In training a sample's output depends on its batch, the source of BN's regularising noise; in inference "
        "it does not.",
        "可以起到一定的正则化作用",
        "training: ∂yᵢ/∂xⱼ ≠ 0; inference: ∂yᵢ/∂xⱼ = 0, i ≠ j",
    ),
    Statement(
        "7.4",
        "BN keeps gradients in range: under x → ax the gradient scales as 1/a (ε → 0).",
        "用于解决深度网络梯度消失梯度爆炸的问题",
        "∂y/∂x at ax = (1/a)·∂y/∂x at x",
    ),
    Statement(
        "8.1",
        "Training records each batch's statistics; E[x] is the mean of the batches' means (the cumulative form; "
        "8.3 has the exponential one).",
        "BN 训练时记录每个 batch 的均值和方差",
        "E[x] = E_B[μ_B]",
    ),
    Statement(
        "8.2",
        "Var[x] is the mean of the batches' unbiased variances, undefined for one value (a declared convention).",
        "测试时用全部训练数据的均值(期望)和方差(无偏估计)",
        "Var[x] = m/(m − 1)·E_B[σ²_B]",
    ),
    Statement(
        "8.3",
        "Inference uses moving averages, never the batch at hand, even when given a batch.",
        "即使在推理时输入是 mini-batch,也应该使用训练时的移动平均值和方差",
        "y = f(x; E[x], Var[x])",
    ),
    Statement(
        "8.4",
        "Inference is a fixed affine map.",
        "两项固定值,可以加速计算",
        "y = kx + c, k = γ/√(Var + ε), c = β − γE/√(Var + ε)",
    ),
    Statement(
        "9.1",
        "Without γ and β batch normalisation is plain standardisation.",
        "若没有这两个参数,BN 退化为普通的标准化",
        "γ = 1, β = 0: y = x̂",
    ),
    Statement(
        "9.2",
        "With γ and β it can reach any scale and offset.",
        "BN 的数据可以进入到激活函数的非线性区域",
        "mean y = β, var y = γ²·σ²/(σ² + ε)",
    ),
    Statement(
        "9.3",
        "With γ the data's standard deviation and β their mean the layer restores its input: it switches itself off.",
        "若 $\\gamma,\\beta$ 分别取数据的均值和标准差,则可以回复初始的输入值,即关闭 BN 模块",
        "γ = √(σ² + ε), β = μ: y = x",
    ),
    Statement(
        "10.1",
        "Batch normalisation normalises each feature over the batch.",
        "BN 是在每个批次中对每个特征的维度进行归一化",
        "statistics over (N, *spatial), one per channel",
    ),
    Statement(
        "10.2",
        "Layer normalisation normalises each sample over its features: it depends neither on the batch nor on "
        "its size.",
        "LN 是在每一层中对每个样本的所有特征维度进行归一化",
        "statistics over features, one per sample",
    ),
    Statement(
        "10.3",
        "Layer normalisation suits variable length: a position's output does not depend on how long the sequence is.",
        "LN 更适用于变长序列数据的处理",
        "f(x)[:t] = f(x[:t])",
    ),
    Statement(
        "10.4",
        "Instance and group normalisation differ from both only in the axes: one group is layer normalisation, a "
        "group per channel is instance normalisation, and that is batch normalisation of one sample alone.",
        "直观地展示了 BN、LN、IN 和 GN 的区别",
        "GN(1) = LN over (C, *spatial), GN(C) = IN, IN = BN of one sample",
    ),
    Statement(
        "11.1",
        "On sparse input BN's statistics are unstable: an all-zero column has variance 0, and must still give β, "
        "finite.",
        "推荐系统的输入往往非常稀疏,直接使用 BN 可能导致不稳定的统计量",
        "x = 0 on a channel: y = β",
    ),
    Statement(
        "11.2",
        "Under a changing range the moving averages follow geometrically.",
        "某些特征的范围可能动态变化,可能需要频繁地更新 BN 的统计数据",
        "after t batches the old share is (1 − momentum)ᵗ",
    ),
    Statement(
        "11.3",
        "On padded sequences BN's statistics depend on the padding; LN's do not.",
        "推荐系统中经常处理序列化的数据,例如用户的行为序列,BN 不适用",
        "f_LN(padded x)[:t] = f_LN(x)",
    ),
)
STATEMENTS: dict[str, Statement] = {statement.number: statement for statement in _ALL}
