"""Whom to cite: BibTeX of the papers and projects that recipes come from."""

import re

from featviz.recipes.base import Recipe

BIBTEX = {
    "featviz": """@software{featviz,
  title = {featviz: feature visualization in JAX},
  year = {2026}
}""",
    "erhan_2009": """@techreport{erhan_2009,
  title = {Visualizing Higher-Layer Features of a Deep Network},
  author = {Erhan, Dumitru and Bengio, Yoshua and Courville, Aaron and Vincent, Pascal},
  institution = {Universit\\'e de Montr\\'eal},
  number = {1341},
  year = {2009}
}""",
    "simonyan_2013": """@article{simonyan_2013,
  title = {Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps},
  author = {Simonyan, Karen and Vedaldi, Andrea and Zisserman, Andrew},
  journal = {arXiv:1312.6034},
  year = {2013}
}""",
    "yosinski_2015": """@article{yosinski_2015,
  title = {Understanding Neural Networks Through Deep Visualization},
  author = {Yosinski, Jason and Clune, Jeff and Nguyen, Anh and Fuchs, Thomas and Lipson, Hod},
  journal = {arXiv:1506.06579},
  year = {2015}
}""",
    "oygard_2015": """@misc{oygard_2015,
  title = {Visualizing GoogLeNet Classes},
  author = {{\\O}ygard, Audun M.},
  howpublished = {https://www.auduno.com/2015/07/29/visualizing-googlenet-classes/},
  year = {2015}
}""",
    "mordvintsev_2015": """@misc{mordvintsev_2015,
  title = {Inceptionism: Going Deeper into Neural Networks},
  author = {Mordvintsev, Alexander and Olah, Christopher and Tyka, Mike},
  howpublished = {Google Research Blog; https://github.com/google/deepdream},
  year = {2015}
}""",
    "tensorflow_2015": """@misc{tensorflow_2015,
  title = {DeepDreaming with TensorFlow},
  author = {Mordvintsev, Alexander},
  howpublished = {TensorFlow, tensorflow/examples/tutorials/deepdream},
  year = {2015}
}""",
    "tensorflow_2020": """@misc{tensorflow_2020,
  title = {DeepDream},
  author = {{The TensorFlow Authors}},
  howpublished = {https://www.tensorflow.org/tutorials/generative/deepdream},
  year = {2020}
}""",
    "olah_2017": """@article{olah_2017,
  title = {Feature Visualization},
  author = {Olah, Chris and Mordvintsev, Alexander and Schubert, Ludwig},
  journal = {Distill},
  doi = {10.23915/distill.00007},
  year = {2017}
}""",
    "lucid": """@misc{lucid,
  title = {Lucid},
  author = {{The Lucid Authors}},
  howpublished = {https://github.com/tensorflow/lucid},
  year = {2018}
}""",
    "ghiasi_2022": """@article{ghiasi_2022,
  title = {What do Vision Transformers Learn? A Visual Exploration},
  author = {Ghiasi, Amin and Kazemi, Hamid and Borgnia, Eitan and Reich, Steven and Shu, Manli and Goldblum, Micah
    and Wilson, Andrew Gordon and Goldstein, Tom},
  journal = {arXiv:2212.06727},
  year = {2022}
}""",
    "fel_2023": """@inproceedings{fel_2023,
  title = {Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization},
  author = {Fel, Thomas and Boissin, Thibaut and Boutin, Victor and Picard, Agustin and Novello, Paul and Colin, Julien
    and Linsley, Drew and Rousseau, Tom and Cad\\`ene, R\\'emi and Goetschalckx, Lore and Gardes, Laurent
    and Serre, Thomas},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2023}
}""",
    "hamblin_2024": """@article{hamblin_2024,
  title = {Feature Accentuation: Revealing `What' Features Respond to in Natural Images},
  author = {Hamblin, Chris and Fel, Thomas and Saha, Srijani and Konkle, Talia and Alvarez, George},
  journal = {arXiv:2402.10039},
  year = {2024}
}""",
    "nguyen_2016": """@inproceedings{nguyen_2016,
  title = {Synthesizing the preferred inputs for neurons in neural networks via deep generator networks},
  author = {Nguyen, Anh and Dosovitskiy, Alexey and Yosinski, Jason and Brox, Thomas and Clune, Jeff},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2016}
}""",
    "nguyen_2017": """@inproceedings{nguyen_2017,
  title = {Plug \\& Play Generative Networks: Conditional Iterative Generation of Images in Latent Space},
  author = {Nguyen, Anh and Clune, Jeff and Bengio, Yoshua and Dosovitskiy, Alexey and Yosinski, Jason},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2017}
}""",
    "romano_2017": """@article{romano_2017,
  title = {The Little Engine that Could: Regularization by Denoising ({RED})},
  author = {Romano, Yaniv and Elad, Michael and Milanfar, Peyman},
  journal = {SIAM Journal on Imaging Sciences},
  year = {2017}
}""",
    "dhariwal_2021": """@inproceedings{dhariwal_2021,
  title = {Diffusion Models Beat {GANs} on Image Synthesis},
  author = {Dhariwal, Prafulla and Nichol, Alexander},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2021}
}""",
    "karras_2022": """@inproceedings{karras_2022,
  title = {Elucidating the Design Space of Diffusion-Based Generative Models},
  author = {Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2022}
}""",
    "gorgun_2025": """@inproceedings{gorgun_2025,
  title = {{VITAL}: More Understandable Feature Visualization through Distribution Alignment and Relevant Information
    Flow},
  author = {G{\\"o}rg{\\"u}n, Ada and Schiele, Bernt and Fischer, Jonas},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision},
  year = {2025}
}""",
    "das_2025": """@article{das_2025,
  title = {Direct Ascent Synthesis: Revealing Hidden Generative Capabilities in Discriminative Models},
  author = {Fort, Stanislav and Whitaker, Jonathan},
  journal = {arXiv:2502.07753},
  year = {2025}
}""",
}

# Letters as BibTeX writes them, of first authors.
LETTERS = {"Ø": "{\\O}", "ö": '{\\"o}', "ü": '{\\"u}'}


def citation(recipe: Recipe | str) -> str:
    """Whom to cite for pictures of a recipe, as BibTeX.

    Args:
      recipe: a recipe, or its name.

    Returns:
      The entries of its sources, with a blank line between them.

    >>> print(citation("erhan_2009"))
    @techreport{erhan_2009,
      title = {Visualizing Higher-Layer Features of a Deep Network},
      author = {Erhan, Dumitru and Bengio, Yoshua and Courville, Aaron and Vincent, Pascal},
      institution = {Universit\\'e de Montr\\'eal},
      number = {1341},
      year = {2009}
    }
    """
    # Imported here: the package imports this module's siblings first.
    from featviz.recipes import by_name

    sources = (by_name(recipe) if isinstance(recipe, str) else recipe).sources
    return "\n\n".join(BIBTEX[source] for source in sources)


def year(source: str) -> str:
    """The year of a source.

    >>> year("lucid")
    '2018'
    """
    return _field(source, "year")


def author(source: str) -> str:
    """The first author of a source; for a program without named authors its title.

    >>> author("hamblin_2024"), author("oygard_2015"), author("lucid"), author("featviz")
    ('Hamblin et al.', 'Øygard', 'The Lucid Authors', 'featviz')
    """
    authors = _field(source, "author")
    for letter, written in LETTERS.items():
        authors = authors.replace(written, letter)
    if not authors:
        return _field(source, "title").partition(":")[0]
    if authors.startswith("{"):
        return authors.strip("{}")
    people = authors.split(" and ")
    return people[0].partition(",")[0] + (" et al." if len(people) > 1 else "")


def _field(source: str, name: str) -> str:
    match = re.search(rf"^  {name} = {{(.*?)}},?$", BIBTEX[source], re.MULTILINE | re.DOTALL)
    return " ".join(match[1].split()) if match else ""
